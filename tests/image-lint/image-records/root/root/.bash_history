mysql -p
