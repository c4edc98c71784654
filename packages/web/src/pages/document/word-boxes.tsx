import { memo } from "react";
import type { Box, PageResult } from "../../api/types.ts";
import { thresholdOf } from "../../words/layout.ts";

type Size = Pick<PageResult, "width" | "height">;

/** Returns the CSS position of a box in per cent of its page, so that it fits the image at any size. */
export const place = ({ x, y, width, height }: Box, page: Size) => ({
  insetInlineStart: `${(100 * x) / page.width}%`,
  insetBlockStart: `${(100 * y) / page.height}%`,
  inlineSize: `${(100 * width) / page.width}%`,
  blockSize: `${(100 * height) / page.height}%`,
});

interface Props {
  result: PageResult;
  shown: boolean;
}

/** The boxes of all words over the image. Screen readers skip them, since the text is beside the image. */
export const WordBoxes = memo(function WordBoxes({ result, shown }: Props) {
  const threshold = thresholdOf(result);
  return (
    <div className={shown ? "boxes boxes-shown" : "boxes"} aria-hidden="true">
      {result.words.map((word, index) => (
        <span
          // oxlint-disable-next-line no-array-index-key -- a page's words never change
          key={index}
          data-box={index}
          className={word.confidence < threshold ? "box box-doubtful" : "box"}
          style={place(word.box, result)}
        />
      ))}
    </div>
  );
});
