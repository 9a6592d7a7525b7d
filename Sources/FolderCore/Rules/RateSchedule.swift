import TransferCommon

/// Which rate of sending is allowed when. It reads no clock and knows no time zone: both come in as arguments.
package struct RateSchedule: Hashable, Sendable {
    /// A rate in bytes per second; 0 allows no sending, `nil` any rate.
    package typealias Rate = UInt64?

    /// A time of the day with its rate.
    package struct Window: Hashable, Sendable {
        /// Minutes of the day, from 0 to 1,440. A window whose end is not behind its beginning ends on the next day.
        package var from: Int
        package var to: Int
        /// The days on which the window begins: 0 is Monday.
        package var days: Set<Int>
        package var rate: Rate

        package init(from: Int, to: Int, days: Set<Int> = Set(0..<7), rate: Rate) {
            self.from = min(max(from, 0), 1_440)
            self.to = min(max(to, 0), 1_440)
            self.days = days
            self.rate = rate
        }
    }

    /// The rate that is allowed now, with the reason for people.
    package struct Decision: Hashable, Sendable {
        package var rate: Rate
        package var reason: String
        /// When the rate changes next, in seconds since 1970; `nil` if it does not change within eight days.
        package var changesAt: Int64?

        package init(rate: Rate, reason: String, changesAt: Int64? = nil) {
            self.rate = rate
            self.reason = reason
            self.changesAt = changesAt
        }

        /// There is no schedule.
        package static let unlimited = Decision(rate: nil, reason: "no schedule limits the rate")
    }

    /// The first window that contains a moment decides.
    package var windows: [Window]
    /// The rate outside of all windows.
    package var otherwise: Rate

    package init(windows: [Window] = [], otherwise: Rate = nil) {
        self.windows = windows
        self.otherwise = otherwise
    }

    /// Decides for a moment.
    ///
    /// - Parameters:
    ///   - utc: the moment in seconds since 1970; `nil` if the clock is not set.
    ///   - offset: the offset of local time from UTC in seconds at a moment. It changes with summer time.
    package func decision(utc: Int64?, offset: (Int64) -> Int64) -> Decision {
        guard !windows.isEmpty else { return steady }
        guard let utc else { return withoutClock }
        // Beyond these limits, which are 30,000 years away, sums would overflow.
        return decision(at: min(max(utc, -(1 << 40)), 1 << 40)) { min(max(offset($0), -86_400), 86_400) }
    }

    private func decision(at utc: Int64, _ offset: (Int64) -> Int64) -> Decision {
        let now = rate(at: utc, offset)
        let next = changes(after: utc, offset).first { rate(at: $0, offset) != now }
        return Decision(rate: now, reason: words(for: now, until: next.map { $0 + offset($0) }), changesAt: next)
    }

    private var steady: Decision {
        guard let otherwise else { return .unlimited }
        return Decision(
            rate: otherwise, reason: otherwise == 0 ? "the schedule allows no sending" : "the rate is limited")
    }

    /// A clock that is not set cannot tell which window applies. The lowest rate that sends at all breaks no limit of
    /// another window, and does not stop the agent until a person sets the clock.
    private var withoutClock: Decision {
        let rates = windows.map(\.rate) + [otherwise]
        let limits = rates.compactMap { $0 }.filter { $0 > 0 }
        let isOnlyZero = limits.isEmpty && rates.allSatisfy { $0 == 0 }
        return Decision(
            rate: isOnlyZero ? 0 : limits.min(),
            reason: "the clock is not set, so the lowest rate of the schedule applies")
    }

    private func rate(at utc: Int64, _ offset: (Int64) -> Int64) -> Rate {
        let local = utc + offset(utc)
        let (day, second) = local.floored(by: 86_400)
        let minute = Int(second / 60)
        // 1970-01-01 was a Thursday.
        let weekday = Int(((day + 3) % 7 + 7) % 7)
        for window in windows {
            let isOvernight = window.to <= window.from
            if window.days.contains(weekday), minute >= window.from, isOvernight || minute < window.to {
                return window.rate
            }
            if isOvernight, window.days.contains((weekday + 6) % 7), minute < window.to { return window.rate }
        }
        return otherwise
    }

    /// The moments of the next eight days at which the rate may change, in order: the ends of windows, and changes of
    /// the offset.
    private func changes(after utc: Int64, _ offset: (Int64) -> Int64) -> [Int64] {
        let end = utc + 8 * 86_400
        var offsets: Set<Int64> = [offset(utc)]
        var moments: Set<Int64> = []
        var hour = utc
        while hour < end {
            if offset(hour) != offset(hour + 3_600) {
                offsets.insert(offset(hour + 3_600))
                moments.insert(Self.firstChange(from: hour, to: hour + 3_600, offset))
            }
            hour += 3_600
        }
        let firstDay = (utc + (offsets.min() ?? 0)).floored(by: 86_400).quotient - 1
        let minutes = Set([0] + windows.flatMap { [$0.from, $0.to] })
        for day in firstDay...(firstDay + 10) {
            for minute in minutes {
                for each in offsets { moments.insert(day * 86_400 + Int64(minute) * 60 - each) }
            }
        }
        return moments.filter { $0 > utc && $0 <= end }.sorted()
    }

    private static func firstChange(from start: Int64, to end: Int64, _ offset: (Int64) -> Int64) -> Int64 {
        var (low, high) = (start, end)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(middle) == offset(start) { low = middle } else { high = middle }
        }
        return high
    }

    private func words(for rate: Rate, until local: Int64?) -> String {
        let time = local.map { local -> String in
            let minute = local.floored(by: 86_400).rest / 60
            return "\(Self.twoDigits(minute / 60)):\(Self.twoDigits(minute % 60))"
        }
        return switch (rate, time) {
        case (0, let time?): "the schedule allows no sending until \(time)"
        case (0, nil): "the schedule allows no sending"
        case (let rate?, let time?): "the schedule allows \(rate) bytes per second until \(time)"
        case (let rate?, nil): "the schedule allows \(rate) bytes per second"
        case (nil, let time?): "the schedule sets no limit until \(time)"
        case (nil, nil): "the schedule sets no limit"
        }
    }

    private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
