-- purpose: let one transaction at a time say which object is which target, as each looks at what others said; the lock
--          ends with the transaction, and nobody who only reads waits

LOCK TABLE association IN SHARE ROW EXCLUSIVE MODE;
