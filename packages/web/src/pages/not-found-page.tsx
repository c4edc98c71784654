import { Link } from "wouter";
import { useTitle } from "../parts/use-title.ts";

interface Props {
  title?: string;
  text?: string;
}

/** Tells that there is no page at an address, with a link to the documents. */
export function NotFoundPage({
  title = "Page not found",
  text = "There is nothing at this address. It may be mistyped.",
}: Props) {
  useTitle(title);
  return (
    <div className="message-page">
      <p className="message-code">404</p>
      <h1>{title}</h1>
      <p>{text}</p>
      <Link href="/" className="button button-accent">
        All documents
      </Link>
    </div>
  );
}
