-- purpose: forget whom exchanges met under names of ours, as a person has decided what they are

DELETE FROM namesake;
