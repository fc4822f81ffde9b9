import type { Order } from '../types';
import { money } from './format';

export function OrderRow({ order }: { order: Order }) {
  return (
    <tr>
      <td>{order.number}</td>
      <td>{order.placedAt}</td>
      <td>{money(order.cents)}</td>
      <td>{order.status}</td>
    </tr>
  );
}
