export AWS_SECRET_ACCESS_KEY=$(cat /run/key)
export AWS_SECRET_ACCESS_KEY=$KEY
