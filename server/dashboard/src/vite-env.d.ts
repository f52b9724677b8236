import "react";

declare module "react" {
  /** CSS variables may be set like any other property. */
  interface CSSProperties {
    [variable: `--${string}`]: string | number;
  }
}
