// Says to the page that the payer has answered the bank.
window.parent.postMessage({ event: 'challenge-done' }, '*');
