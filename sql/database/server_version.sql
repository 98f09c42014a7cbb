-- purpose: tell the version of the server
-- returns: version integer, as 150004

SELECT current_setting('server_version_num')::integer AS version;
