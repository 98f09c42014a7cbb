-- purpose: make the role that may only read the documented views, after a backup was restored, which holds no role
-- returns: a row; is_made: whether our user may make one

SELECT make_reader() AS is_made;
