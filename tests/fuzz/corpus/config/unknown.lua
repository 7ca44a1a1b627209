local t = {}
for i = 1, 10 do t["x" .. i] = i end
return t
