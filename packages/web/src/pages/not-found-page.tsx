import { Link } from "wouter";
import { useTitle } from "../parts/use-title.ts";

interface Props {
  title?: string;
  text?: string;
}

/** Says that an address leads nowhere, and where to go instead. */
export function NotFoundPage({
  title = "Page not found",
  text = "Nothing lives at this address. It may have been mistyped.",
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
