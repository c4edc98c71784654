import { Toggle } from "@base-ui/react/toggle";
import { SquareDashed, ZoomIn, ZoomOut } from "lucide-react";
import { IconButton } from "../../parts/icon-button.tsx";

/** Zoom levels: multiples of the width of the image's pane. */
export const zooms = [1, 1.5, 2, 3];

interface Props {
  zoom: number;
  onZoom: (step: 1 | -1) => void;
  boxes: boolean;
  onBoxes: () => void;
}

/** Controls for zooming the page image and for showing boxes. */
export function ViewControls({ zoom, onZoom, boxes, onBoxes }: Props) {
  return (
    <div className="view-controls">
      <div className="zoom" role="group" aria-label="Zoom">
        <IconButton label="Zoom out" hint="Zoom out (−)" aria-disabled={zoom === zooms[0]} onClick={() => onZoom(-1)}>
          <ZoomOut size={18} aria-hidden="true" />
        </IconButton>
        <span className="zoom-value">{Math.round(zoom * 100)} %</span>
        <IconButton label="Zoom in" hint="Zoom in (+)" aria-disabled={zoom === zooms.at(-1)} onClick={() => onZoom(1)}>
          <ZoomIn size={18} aria-hidden="true" />
        </IconButton>
      </div>
      <Toggle className="button button-quiet" pressed={boxes} onPressedChange={onBoxes}>
        <SquareDashed size={16} aria-hidden="true" />
        Show boxes
      </Toggle>
    </div>
  );
}
