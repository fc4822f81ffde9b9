import { total } from '../payments/total';
import type { Cart } from '../types';
import { money } from '../orders/format';

export function CartDrawer({ cart, onPay }: { cart: Cart; onPay: () => void }) {
  return (
    <aside className="drawer" role="dialog" aria-label="Cart">
      {cart.lines.map((line) => (
        <p key={line.sku}>
          {line.quantity} × {line.title}
        </p>
      ))}
      <button onClick={onPay}>Pay {money(total(cart))}</button>
    </aside>
  );
}
