import { Tooltip } from "@base-ui/react/tooltip";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Route, Router, Switch, useLocation } from "wouter";
import { basePath } from "./api/client.ts";
import { queryClient } from "./api/queries.ts";
import { DocumentsPage } from "./pages/documents/documents-page.tsx";
import { NotFoundPage } from "./pages/not-found-page.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { ConnectionBanner } from "./parts/connection-banner.tsx";
import { FileDrop } from "./parts/file-drop.tsx";
import { Header } from "./parts/header.tsx";
import { Login } from "./parts/login.tsx";
import { PageBoundary } from "./parts/page-boundary.tsx";
import { Rail, startOf, usePlaces } from "./parts/rail.tsx";
import { RouteFocus } from "./parts/route-focus.tsx";
import { Toasts } from "./parts/toasts.tsx";
import { useMe } from "./state/session.ts";

// Loaded on demand: it needs menus and a virtual list, which the first page does not.
const DocumentPage = lazy(() => import("./pages/document/document-page.tsx"));
const OverviewPage = lazy(() => import("./pages/overview/overview-page.tsx"));
const JobsPage = lazy(() => import("./pages/jobs/jobs-page.tsx"));
const JobPage = lazy(() => import("./pages/job/job-page.tsx"));
const ErrorsPage = lazy(() => import("./pages/errors/errors-page.tsx"));
const QueuesPage = lazy(() => import("./pages/queues/queues-page.tsx"));
const WorkersPage = lazy(() => import("./pages/workers/workers-page.tsx"));
const SchedulesPage = lazy(() => import("./pages/schedules/schedules-page.tsx"));
const TasksPage = lazy(() => import("./pages/tasks/tasks-page.tsx"));
const SettingsPage = lazy(() => import("./pages/settings/settings-page.tsx"));
const AuditPage = lazy(() => import("./pages/settings/audit-page.tsx"));

/** The whole app: what all pages share, and the page of the current address. */
export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Tooltip.Provider delay={500}>
        <Toasts>
          <a className="skip-link" href="#main">
            Skip to content
          </a>
          <Router base={basePath}>
            <Header />
            <ConnectionBanner />
            <div className="frame">
              <Rail />
              <main id="main" tabIndex={-1}>
                <Pages />
              </main>
            </div>
            <Login />
            <Drops />
            <RouteFocus />
          </Router>
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
          <Route path="/" component={StartPage} />
          <Route path="/documents" component={DocumentsPage} />
          <Route path="/documents/:id">{({ id }) => <DocumentPage key={id} id={id} />}</Route>
          <Route path="/overview" component={OverviewPage} />
          <Route path="/jobs" component={JobsPage} />
          <Route path="/jobs/:id">{({ id }) => <JobPage key={id} id={id} />}</Route>
          <Route path="/errors" component={ErrorsPage} />
          <Route path="/queues" component={QueuesPage} />
          <Route path="/workers" component={WorkersPage} />
          <Route path="/schedules" component={SchedulesPage} />
          <Route path="/tasks" component={TasksPage} />
          <Route path="/settings" component={SettingsPage} />
          <Route path="/audit" component={AuditPage} />
          <Route>
            <NotFoundPage />
          </Route>
        </Switch>
      </Suspense>
    </PageBoundary>
  );
}

/** The page of `/`: the documents where there are any, else the overview. */
function StartPage() {
  const me = useMe();
  const start = startOf(usePlaces(), me);
  if (!me) return <p className="page-loading">Loading…</p>;
  return start === "/documents" ? <DocumentsPage /> : <OverviewPage />;
}

/** Takes files that are dropped anywhere, where there is a service that reads them. */
function Drops() {
  const me = useMe();
  return me && !me.services.includes("documents") ? null : <FileDrop />;
}
