"""What people of the invented centre write, in English and Chinese. All of it is made up."""

from __future__ import annotations

from kefu.simulator.chance import Stream

RECEIVED = "Thank you for writing. We have your message and will come back to you. 我们已收到您的来信。"
REMINDER = "We are still waiting for your answer; without it we close this request. 请您尽快回复。"
THANKS = "Thanks, that worked! 谢谢，已解决。"
REASONS = (
    "The issue took too long to resolve",
    "The issue was not resolved",
    "The agent's knowledge is unsatisfactory",
    "Some other reason",
)

SUBJECTS = {
    "returns": ("Return of my kettle", "退货申请", "Refund has not arrived", "换货尺码不对", "Damaged on arrival"),
    "orders": ("Where is my order", "订单没有更新", "Wrong address on the order", "修改收货地址", "Missing item"),
    "payments": ("Charged twice", "发票问题", "Card declined", "优惠券没有抵扣", "Invoice with company name"),
    "technical": ("App closes by itself", "登录不了", "Device will not pair", "固件升级失败", "Error E17"),
    "key_accounts": ("Framework contract prices", "月度对账", "Delivery plan", "账户权限", "New branch to supply"),
}
QUESTIONS = {
    "returns": ("I sent the parcel back ten days ago and hear nothing.", "收到的商品有划痕，想退货。"),
    "orders": ("The tracking page has not moved since Monday.", "下单三天了还没有发货，请帮忙查一下。"),
    "payments": ("My card shows the amount twice.", "付款成功了但是订单显示未付款。"),
    "technical": ("After the update the app shows a white page.", "设备连不上无线网络。"),
    "key_accounts": ("Please send the new price list for our branches.", "请核对上个月的对账单。"),
}
REPLIES = {
    "returns": ("The refund left us today.", "退款已经处理，三个工作日内到账。", "Please use the attached label."),
    "orders": ("Your parcel leaves the warehouse tonight.", "已为您加急处理。", "The address is corrected."),
    "payments": ("The second charge was only a reservation and lapses.", "发票已重新开具。", "We have refunded it."),
    "technical": ("Please install version 4.2 and start again.", "请先清除缓存再登录。", "A new device is on its way."),
    "key_accounts": ("The price list is attached.", "对账单已更新。", "Your account manager has set it up."),
}
NOTES = (
    "Asked the warehouse.",
    "客户电话里已说明情况。",
    "Same as last week's batch.",
    "Checked with the bank.",
    "等待物流回复。",
)
ANSWERS = ("Here is what you asked for.", "订单号在附件里。", "It is the blue one.", "照片已上传。")
COMPLAINTS = ("It is still not solved!", "问题又出现了。", "Nothing has arrived yet.", "还是不行，请再看一下。")
VERDICTS = {
    "good": ("Quick and friendly.", "客服很耐心，问题解决了。", "Solved at once.", "态度很好。"),
    "bad": ("Took far too long.", "等了很久才回复。", "Nobody understood the problem.", "退款太慢了。"),
}
MIXED = ("It was all right.", "一般。", "Waited a bit, but fine.", "还可以。")


def subject(team: str, stream: Stream) -> str:
    """A ticket's subject."""
    return stream.pick(SUBJECTS[team])


def question(team: str, stream: Stream) -> str:
    """A customer's first message."""
    return stream.pick(QUESTIONS[team])


def reply(team: str, stream: Stream) -> str:
    """An agent's message to the customer."""
    return stream.pick(REPLIES[team])


def note(stream: Stream) -> str:
    """An agent's internal note."""
    return stream.pick(NOTES)


def answer(stream: Stream) -> str:
    """A customer's answer to a question."""
    return stream.pick(ANSWERS)


def complaint(stream: Stream) -> str:
    """A customer whose problem is not solved after all."""
    return stream.pick(COMPLAINTS)


def verdict(score: str, stream: Stream) -> str:
    """A word on a rating."""
    return stream.pick(VERDICTS[score])


def impression(points: int, stream: Stream) -> str:
    """A word on a survey answer of 1 to 5 points."""
    return stream.pick(VERDICTS["good"] if points >= 4 else MIXED if points == 3 else VERDICTS["bad"])


def merged_into(ticket: int) -> str:
    """The note left on a ticket that was merged away."""
    return f"This request was closed and merged into request #{ticket}."


def merged_from(ticket: int) -> str:
    """The note left on the surviving ticket."""
    return f"Request #{ticket} was closed and merged into this request."
