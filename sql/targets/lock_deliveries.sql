-- purpose: let one transaction at a time store deliveries, so that the same file given twice at once is stored once

LOCK TABLE delivery IN SHARE ROW EXCLUSIVE MODE;
