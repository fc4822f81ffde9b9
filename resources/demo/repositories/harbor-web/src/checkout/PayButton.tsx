export function PayButton({ label, onPay }: { label: string; onPay: () => Promise<void> }) {
  const pressed = () => {
    onPay();
  };
  return (
    <button className="pay" onClick={pressed}>
      {label}
    </button>
  );
}
