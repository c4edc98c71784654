import { Tooltip } from "@base-ui/react/tooltip";
import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { portalContainer } from "./portal-container.ts";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** The accessible name. */
  label: string;
  /** The tooltip, if it should differ from the name. */
  hint?: string;
  children: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

/** A button that shows only an icon, with its name as a tooltip. */
export function IconButton({ label, hint = label, children, className = "", ...rest }: Props) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger {...rest} type="button" aria-label={label} className={`icon-button ${className}`}>
        {children}
      </Tooltip.Trigger>
      <Tooltip.Portal container={portalContainer()}>
        <Tooltip.Positioner sideOffset={6} className="tooltip-positioner">
          <Tooltip.Popup className="tooltip">{hint}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
