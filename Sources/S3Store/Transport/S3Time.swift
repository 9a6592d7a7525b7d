package import FoundationEssentials

/// The three formats in which S3 writes a time. All of them are in UTC.
///
/// The type does not use Foundation's formatters: they are slow, differ between systems and depend on the locale.
package enum S3Time {
    /// The format of `x-amz-date`: `20130524T000000Z`. Its first eight characters are the day that signatures use.
    package static func timestamp(_ date: Date) -> String {
        let seconds = Int64(exactly: date.timeIntervalSince1970.rounded(.down)) ?? 0
        // Limit the value, because with an extreme clock the arithmetic would trap. With the limited value the store
        // refuses the signature.
        let clamped = min(max(seconds, 0), 253_402_300_799)
        let (days, rest) = clamped.quotientAndRemainder(dividingBy: 86_400)
        let day = CivilDay(daysSince1970: days)
        return "\(padded(day.year, 4))\(padded(day.month, 2))\(padded(day.day, 2))"
            + "T\(padded(rest / 3600, 2))\(padded(rest / 60 % 60, 2))\(padded(rest % 60, 2))Z"
    }

    /// Parses the header `Date`: `Fri, 24 May 2013 00:00:00 GMT`. The obsolete formats of HTTP are not supported.
    package static func date(header text: String) -> Date? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])) else {
            return nil
        }
        return date(year: words[3], month: String(month + 1), day: words[1], time: words[4])
    }

    /// Parses a time in XML: `2009-10-12T17:50:30.000Z`, with or without the fraction.
    package static func date(xml text: String) -> Date? {
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: "T")
        guard halves.count == 2 else { return nil }
        let day = halves[0].split(separator: "-")
        let time = halves[1].split(separator: ".")
        guard day.count == 3, let clock = time.first, time.count <= 2,
            let date = date(year: day[0], month: String(day[1]), day: day[2], time: clock)
        else { return nil }
        guard time.count == 2 else { return date }
        guard number(time[1], max: 999_999_999) != nil, let fraction = Double("0.\(time[1])") else { return nil }
        return date.addingTimeInterval(fraction)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func date(year: Substring, month: String, day: Substring, time: Substring) -> Date? {
        let clock = time.split(separator: ":").map { number($0, max: 60) }
        guard let year = number(year, max: 9999), let month = number(month[...], max: 12), month >= 1,
            let day = number(day, max: 31), day >= 1, clock.count == 3, let hour = clock[0], hour < 24,
            let minute = clock[1], minute < 60, let second = clock[2]
        else { return nil }
        let days = CivilDay(year: year, month: month, day: day).daysSince1970
        return Date(timeIntervalSince1970: Double(days * 86_400 + hour * 3600 + minute * 60 + second))
    }

    private static func number(_ digits: Substring, max: Int64) -> Int64? {
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let value = Int64(digits), value <= max
        else { return nil }
        return value
    }

    private static func padded(_ value: Int64, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

/// A day of the Gregorian calendar. The computation lets years begin in March, so that the leap day is the last day of
/// a year.
private struct CivilDay {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// - Parameter daysSince1970: 0 or greater.
    init(daysSince1970: Int64) {
        let days = daysSince1970 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * shifted + 2) / 5 + 1
        self.month = shifted < 10 ? shifted + 3 : shifted - 9
        self.year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let year = month <= 2 ? self.year - 1 : self.year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
