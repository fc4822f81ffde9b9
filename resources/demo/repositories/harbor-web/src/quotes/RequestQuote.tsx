import type { Cart } from '../types';

/** For carts that are too large to be paid at once. */
export function RequestQuote({ cart, onDone }: { cart: Cart; onDone: () => void }) {
  const request = async () => {
    await fetch('/quotes', { method: 'POST', body: JSON.stringify({ cart: cart.id }) });
    onDone();
  };
  return (
    <button className="quote" onClick={request}>
      Ask for a quote
    </button>
  );
}
