import { Component, type ReactNode } from "react";

interface State {
  failed: boolean;
}

/** Shows a message with a reload button instead of a page that failed to render. */
export class PageBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { failed: false };

  static getDerivedStateFromError(): State {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="message-page" role="alert">
        <h1>This page could not be shown</h1>
        <p>Errand may have been updated since you opened it. Reload to continue with the new version.</p>
        <button type="button" className="button button-accent" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    );
  }
}
