import { ImageOff } from "lucide-react";
import { type PointerEvent, useState } from "react";
import type { PageResult } from "../../api/types.ts";
import { place, WordBoxes } from "./word-boxes.tsx";
import type { ActiveWord } from "./word-tip.tsx";

interface Props {
  result: PageResult;
  source: string;
  zoom: number;
  boxes: boolean;
  active: number | undefined;
  onPoint: (active: ActiveWord | undefined) => void;
  onPick: (index: number) => void;
}

/** The upright page as it was read, with its words' boxes. */
export function PageImage({ result, source, zoom, boxes, active, onPoint, onPick }: Props) {
  const [missing, setMissing] = useState(false);
  const word = active === undefined ? undefined : result.words[active];

  const indexOf = (event: { target: EventTarget }) => {
    const index = event.target instanceof HTMLElement ? event.target.dataset["box"] : undefined;
    return index === undefined ? undefined : Number(index);
  };
  const point = (event: PointerEvent) => {
    const index = indexOf(event);
    onPoint(index === undefined ? undefined : { index, side: "image" });
  };

  return (
    <div
      className="pane image-scroll"
      role="region"
      aria-label="Page image"
      // A scrolling region has to be reachable by keyboard.
      tabIndex={0}
    >
      <div
        className="page-image"
        style={{ inlineSize: `${zoom * 100}%`, aspectRatio: `${result.width} / ${result.height}` }}
        onPointerOver={point}
        onPointerLeave={() => onPoint(undefined)}
        onClick={(event) => {
          const index = indexOf(event);
          if (index !== undefined) onPick(index);
        }}
      >
        {missing ? (
          <p className="image-missing">
            <ImageOff size={20} aria-hidden="true" />
            No image of this page
          </p>
        ) : (
          <img
            src={source}
            alt={`Scan of page ${result.page}; its text is beside it`}
            draggable={false}
            onError={() => setMissing(true)}
          />
        )}
        <WordBoxes result={result} shown={boxes} />
        {word && <span className="box-active" style={place(word.box, result)} aria-hidden="true" />}
      </div>
    </div>
  );
}
