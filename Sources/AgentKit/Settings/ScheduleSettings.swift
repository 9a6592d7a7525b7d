package import FolderCore
package import Settings

/// Which rate the agent service keeps to when, in local time.
package struct ScheduleSettings: Equatable, Sendable {
    /// A time of the day with its rate.
    package struct Window: Equatable, Sendable {
        /// The days on which the window begins: 0 is Monday.
        package var days = Weekdays.all
        package var from: TimeOfDay?
        package var to: TimeOfDay?
        package var rate: SendingRate?

        package init() {}
    }

    /// The rate outside of all windows; `nil`: the setting `limit-rate` of the agent decides.
    package var rate: SendingRate?
    /// The first window that contains a moment decides.
    package var windows: [Window] = []

    package init() {}

    /// The schedule in the form in which the machine takes it.
    ///
    /// - Parameter limitRate: the rate outside of all windows, unless the schedule has its own.
    package func schedule(limitRate: ByteRate?) -> RateSchedule {
        RateSchedule(
            windows: windows.map { window in
                RateSchedule.Window(
                    from: window.from?.minutes ?? 0, to: window.to?.minutes ?? TimeOfDay.minutesMax,
                    days: window.days.days, rate: window.rate?.limit)
            },
            otherwise: rate.map(\.limit) ?? limitRate?.bytesPerSecond)
    }

    /// How many windows a schedule may have.
    static let windowsMax = 64

    /// The keys of a window.
    package static let windowKeys = SettingMap(
        initial: Window(),
        settings: [
            Setting(
                "days", \.days, .weekdays, scope: .fileOnly, initial: Window(), usual: "every day",
                "The days on which the window begins."),
            Setting(
                "from", \.from, .timeOfDay, scope: .fileOnly, initial: Window(), usual: "00:00",
                "When the window begins, in local time."),
            Setting(
                "to", \.to, .timeOfDay, scope: .fileOnly, initial: Window(), usual: "24:00",
                "When the window ends. A window whose end is not after its beginning ends on the next day."),
            Setting(
                "rate", \.rate, .sendingRate, scope: .fileOnly, initial: Window(), usual: "none; it has to be given",
                "The highest rate in the window; 0 sends nothing."),
        ],
        rules: [
            SettingRule("rate") { $0.rate == nil ? "the key rate is missing" : nil },
            SettingRule("from") { $0.from?.minutes == TimeOfDay.minutesMax ? "must be before 24:00" : nil },
        ])

    /// The keys of `limits`.
    package static let keys = SettingMap(
        initial: ScheduleSettings(),
        settings: [
            Setting(
                "rate", \.rate, .sendingRate, scope: .fileOnly, initial: ScheduleSettings(), usual: "`limit-rate`",
                "The highest rate outside of all windows; 0 sends nothing."),
            Setting(
                "schedule", \.windows,
                windowKeys.list(words: "a list of windows, each with rate, days, from and to", countMax: windowsMax),
                scope: .fileOnly, initial: ScheduleSettings(),
                "Windows of time with rates of their own. The first window that contains a moment decides."),
        ])
}

/// A minute of the day, from 00:00 to 24:00.
package struct TimeOfDay: Equatable, Sendable, CustomStringConvertible {
    /// Minutes since midnight.
    package let minutes: Int

    package static let minutesMax = 1_440

    /// - Parameter argument: `HH:MM`.
    package init?(argument: String) {
        let bytes = Array(argument.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - Int(UInt8(ascii: "0")) }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
        let (hours, minutes) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        guard minutes < 60, hours * 60 + minutes <= Self.minutesMax else { return nil }
        self.minutes = hours * 60 + minutes
    }

    package var description: String { "\(Self.twoDigits(minutes / 60)):\(Self.twoDigits(minutes % 60))" }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// Days of the week.
package struct Weekdays: Equatable, Sendable, CustomStringConvertible {
    /// 0 is Monday.
    package let days: Set<Int>

    package static let all = Weekdays(days: Set(names.indices))
    private static let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    private init(days: Set<Int>) {
        self.days = days
    }

    /// - Parameter argument: a day or a range of days, such as `mon-fri`. A range may pass the end of the week.
    init?(range argument: String) {
        let ends = argument.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            .map { end in Self.names.firstIndex { $0.utf8.elementsEqual(end) } }
        guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil else { return nil }
        let count = (last - first + Self.names.count) % Self.names.count
        days = Set((first...(first + count)).map { $0 % Self.names.count })
    }

    /// The days of all of these.
    init(union all: [Weekdays]) {
        days = all.reduce(into: []) { $0.formUnion($1.days) }
    }

    /// The days in order, with commas.
    package var description: String { days.sorted().map { Self.names[$0] }.joined(separator: ",") }
}

extension SettingForm where Value == TimeOfDay {
    /// A time of the day.
    fileprivate static let timeOfDay = SettingForm.value(
        "a time of the day, such as 07:00", text: \.description, parse: { TimeOfDay(argument: $0) })
}

extension SettingForm where Value == Weekdays {
    /// Days, ranges of days, or a list of both.
    fileprivate static let weekdays: SettingForm = {
        let list = SettingForm<[Weekdays]>.list(
            of: .value(
                "a day or a range of days, such as mon or mon-fri", text: \.description,
                parse: { Weekdays(range: $0) }),
            words: "days, such as mon-fri or sat,sun", countMax: 7)
        return SettingForm(
            words: list.words, parse: { list.parse($0).map { Weekdays(union: $0) } },
            read: { cursor in
                guard let ranges = list.read(cursor) else { return nil }
                guard !ranges.isEmpty else {
                    cursor.refuse("has no day; name one, or remove the line")
                    return nil
                }
                return Weekdays(union: ranges)
            },
            text: \.description)
    }()
}
