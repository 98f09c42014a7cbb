-- purpose: drop the temporary tables of this session

DISCARD TEMPORARY;
