-- purpose: know which rows of others had names of ours, exchange after exchange
-- changes: nothing that is stored
-- makes: namesake

-- A few at a time are namesakes; that there are more and more of our survey shows another installation on it.
CREATE TABLE namesake (
    pk_4most bigint PRIMARY KEY, -- of the row at 4MOST
    name text NOT NULL, -- as the row has it
    is_of_survey boolean NOT NULL, -- of ours, and our subsurvey
    met_at timestamptz NOT NULL DEFAULT now() -- last
);
