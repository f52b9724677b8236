/** Which part of a long list is shown; nothing where it fits on one page. */
export function Pager(props: { page: number; size: number; total: number; onPage: (page: number) => void }) {
  const { page, size, total, onPage } = props;
  if (total <= size) return null;
  const last = Math.ceil(total / size) - 1;
  const go = (to: number) => {
    onPage(to);
    scrollTo({ top: 0 });
  };
  return (
    <nav className="pager" aria-label="Pages of the list" data-testid="pager">
      <button type="button" className="button" disabled={page === 0} onClick={() => go(page - 1)}>
        Previous
      </button>
      <span>
        {page * size + 1}–{Math.min(total, (page + 1) * size)} of {total}
      </span>
      <button type="button" className="button" disabled={page === last} onClick={() => go(page + 1)}>
        Next
      </button>
    </nav>
  );
}
