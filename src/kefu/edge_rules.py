"""The edge rules: what Kefu does where the field disagrees or a naive count goes wrong, by their code."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, Mapping[str, str]] = {
    "E01": {
        "en": "A wait shorter than the short-abandon time that the customer ends is a short abandon: an outcome of its"
        " own, in no denominator of service level or abandon rate.",
        "zh": "等待时间短于短放弃阈值的放弃为“短放弃”，单列，不进入服务水平与放弃率的分母。",
    },
    "E02": {
        "en": "A request to be called back ends the wait: neither answered nor abandoned.",
        "zh": "要求回拨即结束排队，既不算接通也不算放弃。",
    },
    "E03": {
        "en": "A contact counts once for the contact, once a visit for the queue, once a leg for the agent.",
        "zh": "联络级指标只计一次；队列级按每次入队计；坐席级按每个接续计。",
    },
    "E04": {
        "en": "A reopen that is solved again within the thanks window without an agent's reply is none.",
        "zh": "“致谢窗口”内无坐席回复即再次解决的重开不计为重开。",
    },
    "E05": {
        "en": "Calendar and business time stand side by side; business time counts open hours only.",
        "zh": "自然时间与工作时间并列；工作时间仅计营业时段。",
    },
    "E06": {
        "en": "A contact belongs to the reporting day of its arrival where the centre is.",
        "zh": "联络归属于其到达时刻在中心所在时区的报告日。",
    },
    "E07": {
        "en": "Of several responses to one invitation the last complete one inside the survey window counts.",
        "zh": "同一邀请有多次答复时，取调查窗口内最后一次完整答复。",
    },
    "E08": {
        "en": "Credit for an answer is shared among those who served, by a stated rule.",
        "zh": "评价按既定规则归因于参与服务的人员。",
    },
    "E09": {
        "en": "Nobody waits for a first reply to a ticket an agent opened.",
        "zh": "坐席主动创建的工单不计首次响应。",
    },
    "E10": {
        "en": "Merged, spam, deleted, test and internal tickets are flagged and out of every KPI.",
        "zh": "合并、垃圾、删除、测试及内部工单打标，不进入任何指标。",
    },
    "E11": {
        "en": "People and teams are versions in time: work is credited to the team and role of that day.",
        "zh": "人员与团队按时间版本管理：业绩归属事发当日的团队与角色。",
    },
    "E12": {
        "en": "The target in force when the clock started holds; it is re-based only if the policy says so.",
        "zh": "以计时开始时生效的目标为准；仅当策略规定时才重新计算。",
    },
    "E13": {
        "en": "Open hours are built in local time, over holidays and clock changes; an edit is a new version.",
        "zh": "营业时段按当地时间构建，涵盖假日与夏令时；修改产生新版本。",
    },
    "E14": {
        "en": "Bots, macros and automatic replies are no people: KPIs of people leave them out.",
        "zh": "机器人、宏与自动回复不是人工：人工指标不计。",
    },
    "E15": {
        "en": "Work on several contacts at once is shared among them; wall-clock time is counted once.",
        "zh": "并行处理多个联络时工时分摊；自然时间只计一次。",
    },
    "E16": {
        "en": "A contact over the edge of an interval counts where it arrived; seconds are split.",
        "zh": "跨区间联络按到达区间计数，时长按秒拆分。",
    },
    "E17": {
        "en": "Late or corrected data restates a value; what was reported before is kept.",
        "zh": "迟到或更正的数据会修订数值；原报告值保留。",
    },
    "E18": {
        "en": "n and interval are always stated; below the smallest n no value is shown.",
        "zh": "始终给出样本量与区间；低于最小样本不显示数值。",
    },
    "E19": {
        "en": "Averages are never averaged: sums and counts are stored, ratios formed when asked for.",
        "zh": "不对平均值再求平均：存储分子分母，查询时再求比。",
    },
    "E20": {
        "en": "One person with several addresses is one customer, by keyed hash, with a confidence.",
        "zh": "同一人的多个联系方式经密钥哈希归为一个客户，并注明置信度。",
    },
    "E21": {
        "en": "A seed maps every answer of every scale to a score, a box and a group.",
        "zh": "量表映射表将每个答案映射为得分、档位与分组，无隐藏规则。",
    },
    "E22": {
        "en": "Each KPI says whether it is booked on the day of the contact or of the response.",
        "zh": "每个指标注明按联络日期还是答复日期归属。",
    },
    "E23": {
        "en": "While its window is open a result is provisional.",
        "zh": "窗口未关闭前结果为暂定值。",
    },
    "E24": {
        "en": "A timer left running is capped and flagged.",
        "zh": "未关闭的计时被截断并打标。",
    },
    "E25": {
        "en": "A ring without an answer is the agent's miss, not an abandon; the customer goes on waiting.",
        "zh": "振铃未接属坐席未应答，不算放弃；客户继续等待。",
    },
    "E26": {
        "en": "Whether a survey was offered is a fact of its own; who was not asked is in no response rate.",
        "zh": "是否发出调查本身是事实；未被邀请者不进入回收率。",
    },
    "E27": {
        "en": "The backlog of a day is that of 23:59:59 where the centre is, from the events.",
        "zh": "某日积压以中心当地 23:59:59 为准，由事件推算。",
    },
    "E28": {
        "en": "Overflow, voicemail, diverted and closed are outcomes of their own; each profile says where they count.",
        "zh": "溢出、留言、转出与关闭各为单独结果；各口径说明其归类。",
    },
    "E29": {
        "en": "What an agent says of their own work is never the only source of a KPI.",
        "zh": "坐席自报字段不作为任何绩效指标的唯一来源。",
    },
    "E30": {
        "en": "Nothing divided by nothing has no value: never 0, never 100.",
        "zh": "分母为零时无值，既非 0 也非 100。",
    },
}
