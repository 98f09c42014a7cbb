-- purpose: let the rows of the list be right again of targets that changed
-- params: at timestamptz (whose rulings are in force), most integer (so many changes at once)
-- returns: one row: settled bigint, how many changes there were; with as many as asked for there may be more

SELECT coalesce(
    (
        SELECT settle_listed(%(at)s::timestamptz, %(most)s::integer)
        WHERE
            EXISTS (SELECT FROM change_listed)
            OR EXISTS (SELECT FROM listed_target WHERE listed_target.looked_at <= %(at)s::timestamptz)
    ),
    0
) AS settled;
