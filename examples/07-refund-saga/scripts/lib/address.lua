-- Where the shop's order system is: a file of its own, since it is another one
-- on the machine where you try things out (and in the talks beside this).
-- 订单系统的地址；测试环境换成自己的。
return "https://shop.example.com/api"
