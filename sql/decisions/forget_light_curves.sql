-- purpose: forget the light curves of objects that were not detected for long
-- params: before_mjd double precision (MJD)

DELETE FROM light_curve
WHERE light_curve.newest_mjd < %(before_mjd)s::double precision;
