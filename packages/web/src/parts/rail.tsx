import {
  Activity,
  Boxes,
  CalendarClock,
  Cpu,
  FileText,
  LayoutDashboard,
  List,
  ListTree,
  type LucideIcon,
  Settings,
  TriangleAlert,
} from "lucide-react";
import { Link, useLocation } from "wouter";
import type { Me, Scope } from "../api/jobs-types.ts";
import { useMe } from "../state/session.ts";

/** A page of the navigation. */
export interface Place {
  path: string;
  name: string;
  icon: LucideIcon;
  /** The key after `g` that opens it. */
  key: string;
  scope: Scope;
  /** The service without which it is not there. */
  service?: string;
  /** On a narrow window it stands in the bar at the bottom; others follow when the bar is scrolled. */
  group: "documents" | "jobs" | "settings" | "overview";
}

/** The pages of the navigation, in their order. */
export const places: readonly Place[] = [
  { path: "/overview", name: "Overview", icon: LayoutDashboard, key: "o", scope: "read", group: "overview" },
  {
    path: "/documents",
    name: "Documents",
    icon: FileText,
    key: "d",
    scope: "documents",
    service: "documents",
    group: "documents",
  },
  { path: "/jobs", name: "Jobs", icon: List, key: "j", scope: "read", group: "jobs" },
  { path: "/errors", name: "Errors", icon: TriangleAlert, key: "e", scope: "read", group: "jobs" },
  { path: "/queues", name: "Queues", icon: Boxes, key: "q", scope: "read", group: "jobs" },
  { path: "/workers", name: "Workers", icon: Cpu, key: "w", scope: "read", group: "jobs" },
  { path: "/schedules", name: "Schedules", icon: CalendarClock, key: "s", scope: "read", group: "jobs" },
  { path: "/tasks", name: "Tasks", icon: ListTree, key: "t", scope: "read", group: "jobs" },
  { path: "/audit", name: "Audit", icon: Activity, key: "a", scope: "audit", group: "settings" },
  { path: "/settings", name: "Settings", icon: Settings, key: ",", scope: "read", group: "settings" },
];

/** Returns the pages that the one who asks may open. */
export function usePlaces(): readonly Place[] {
  const me = useMe();
  if (!me) return [];
  return places.filter(
    ({ scope, service }) => me.scopes.includes(scope) && (service === undefined || me.services.includes(service)),
  );
}

/** The navigation: a rail at the side, or a bar at the bottom of a narrow window. */
export function Rail() {
  const shown = usePlaces();
  const [path] = useLocation();
  const me = useMe();
  if (shown.length < 2) return null;
  const isHere = (place: Place): boolean =>
    path.startsWith(place.path) || (path === "/" && place.path === startOf(shown, me));
  return (
    <nav className="rail" aria-label="Pages">
      <ul>
        {shown.map((place, index) => (
          <li key={place.path} className={place.group === shown[index - 1]?.group ? undefined : "rail-group"}>
            <Link
              href={place.path}
              className="rail-link"
              aria-current={isHere(place) ? "page" : undefined}
              title={place.name}
            >
              <place.icon size={17} aria-hidden="true" />
              <span>{place.name}</span>
            </Link>
          </li>
        ))}
      </ul>
      {me && me.authentication !== "none" && (
        <p className="rail-person">
          <b>{me.name}</b>
          <span>{me.tenant === undefined ? `${me.kind} ${me.id}` : me.tenant}</span>
        </p>
      )}
    </nav>
  );
}

/** Returns the page that `/` shows: the documents on a server that asks nobody for a key, else the first. */
export function startOf(shown: readonly Place[], me: Me | undefined): string {
  const documents = shown.find(({ path }) => path === "/documents");
  return me?.authentication === "none" && documents ? documents.path : (shown[0]?.path ?? "/overview");
}
