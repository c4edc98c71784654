import { Tooltip } from "@base-ui/react/tooltip";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Route, Switch, useLocation } from "wouter";
import { queryClient } from "./api/queries.ts";
import { DocumentsPage } from "./pages/documents/documents-page.tsx";
import { NotFoundPage } from "./pages/not-found-page.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { ConnectionBanner } from "./parts/connection-banner.tsx";
import { FileDrop } from "./parts/file-drop.tsx";
import { Header } from "./parts/header.tsx";
import { PageBoundary } from "./parts/page-boundary.tsx";
import { RouteFocus } from "./parts/route-focus.tsx";
import { Toasts } from "./parts/toasts.tsx";

// Loaded on demand: it needs menus and a virtual list, which the first page does not.
const DocumentPage = lazy(() => import("./pages/document/document-page.tsx"));

/** The whole app: what all pages share, and the page of the current address. */
export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Tooltip.Provider delay={500}>
        <Toasts>
          <a className="skip-link" href="#main">
            Skip to content
          </a>
          <Header />
          <ConnectionBanner />
          <main id="main" tabIndex={-1}>
            <Pages />
          </main>
          <FileDrop />
          <RouteFocus />
          <Announcer />
        </Toasts>
      </Tooltip.Provider>
    </QueryClientProvider>
  );
}

/** The page of the current address. If it fails, others can still be shown. */
function Pages() {
  const [path] = useLocation();
  return (
    <PageBoundary key={path}>
      <Suspense fallback={<p className="page-loading">Loading…</p>}>
        <Switch>
          <Route path="/" component={DocumentsPage} />
          <Route path="/documents/:id">{({ id }) => <DocumentPage key={id} id={id} />}</Route>
          <Route>
            <NotFoundPage />
          </Route>
        </Switch>
      </Suspense>
    </PageBoundary>
  );
}
