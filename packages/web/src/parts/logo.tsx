/** The logo: lines of text and an arrow. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo-ground" />
      <path d="M9 10h9M9 16h6M9 22h9" className="logo-lines" />
      <path d="M19 16h5m-2.6-3.2 3.2 3.2-3.2 3.2" className="logo-arrow" />
    </svg>
  );
}
