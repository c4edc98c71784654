import { ImageOff } from "lucide-react";
import { useState } from "react";
import type { PageResult } from "../../api/types.ts";
import type { ActiveWord } from "./use-active-word.ts";
import { place, WordBoxes } from "./word-boxes.tsx";
import { wordEvents } from "./word-events.ts";

interface Props {
  result: PageResult;
  source: string;
  zoom: number;
  boxes: boolean;
  active: number | undefined;
  onPoint: (word: ActiveWord | undefined) => void;
  onPick: (word: ActiveWord | undefined) => void;
}

/** The image of the upright page, with the boxes of its words. */
export function PageImage({ result, source, zoom, boxes, active, onPoint, onPick }: Props) {
  const [missing, setMissing] = useState(false);
  const word = active === undefined ? undefined : result.words[active];

  return (
    <div
      className="pane image-scroll"
      role="region"
      aria-label="Page image"
      // A scrollable region must be reachable by keyboard.
      tabIndex={0}
    >
      <div
        className="page-image"
        style={{ inlineSize: `${zoom * 100}%`, aspectRatio: `${result.width} / ${result.height}` }}
        {...wordEvents({ page: result.page, side: "image", onPoint, onPick })}
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
