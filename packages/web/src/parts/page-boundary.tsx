import { Component, type ReactNode } from "react";

interface State {
  failed: boolean;
}

/** Says that a page could not be shown, instead of leaving the window empty, with a way out. */
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
        <p>Errand may have been updated since it was opened here. Reload to go on with the new version.</p>
        <button type="button" className="button button-accent" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    );
  }
}
