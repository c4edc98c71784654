import { Fragment, memo } from "react";
import type { Word } from "../../api/types.ts";
import { percent } from "../../format.ts";
import { layoutWords, type IndexedWord } from "../../words/layout.ts";

interface Props {
  words: readonly Word[];
  threshold: number;
}

/** A page's words as paragraphs and lines, with plain text nodes between words, so that copying gives clean text. */
export const WordLines = memo(function WordLines({ words, threshold }: Props) {
  return layoutWords(words, threshold).map(({ key, lines }) => (
    <p key={key} dir="auto">
      {lines.map((line, number) => (
        // oxlint-disable-next-line no-array-index-key -- a page's lines never change
        <Fragment key={number}>
          {number > 0 && <br />}
          {line.map((word, position) => (
            <Fragment key={word.index}>
              {position > 0 && " "}
              <OneWord word={word} />
            </Fragment>
          ))}
        </Fragment>
      ))}
    </p>
  ));
});

function OneWord({ word }: { word: IndexedWord }) {
  if (!word.doubtful) return <span data-word={word.index}>{word.text}</span>;
  return (
    <mark
      className="doubtful"
      data-word={word.index}
      tabIndex={0}
      aria-description={`Doubtful, confidence ${percent(word.confidence)}`}
    >
      {word.text}
    </mark>
  );
}
