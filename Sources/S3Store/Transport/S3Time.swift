package import FoundationEssentials
import TransferCommon

/// The three formats in which S3 writes a time.
///
/// S3 itself writes all of them in UTC. Other stores use further forms of the same standards, so the parsers accept
/// these, too: a store must not be useless because of the form of a date.
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

    /// Parses a time in a header: `Fri, 24 May 2013 00:00:00 GMT`. The weekday may be missing, and instead of `GMT` the
    /// text may have any time zone that `TimeScanner` reads. The obsolete formats of HTTP are not supported.
    package static func date(header text: String) -> Date? {
        var scanner = TimeScanner(text)
        scanner.skipWeekday()
        guard let day = scanner.number(digits: 1...2), scanner.skipSpaces(),
            let month = scanner.word().flatMap({ months.firstIndex(of: $0) }), scanner.skipSpaces(),
            let year = scanner.number(digits: 4...4), scanner.skipSpaces(), let time = scanner.time(),
            let offset = scanner.zone(), scanner.isAtEnd
        else { return nil }
        return date(CivilDay(year: year, month: Int64(month) + 1, day: day), time: time, offset: offset)
    }

    /// Parses a time in XML: `2009-10-12T17:50:30.000Z`, and the other forms of ISO 8601 that have a date and a time:
    /// with or without the fraction, the separators and the time zone. Between date and time there may be a space.
    package static func date(xml text: String) -> Date? {
        var scanner = TimeScanner(text)
        guard let year = scanner.number(digits: 4...4) else { return nil }
        _ = scanner.skip("-")
        guard let month = scanner.number(digits: 2...2) else { return nil }
        _ = scanner.skip("-")
        guard let day = scanner.number(digits: 2...2), scanner.skip("T") || scanner.skip("t") || scanner.skipSpaces(),
            let time = scanner.time(), let offset = scanner.zone(), scanner.isAtEnd
        else { return nil }
        return date(CivilDay(year: year, month: month, day: day), time: time, offset: offset)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameters:
    ///   - time: seconds since midnight in the time zone of the text.
    ///   - offset: seconds by which that time zone is ahead of UTC.
    private static func date(_ day: CivilDay, time: Double, offset: Int64) -> Date? {
        guard (1...12).contains(day.month), (1...31).contains(day.day) else { return nil }
        return Date(timeIntervalSince1970: Double(day.daysSince1970 * 86_400 - offset) + time)
    }

    private static func padded(_ value: Int64, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

private struct TimeScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) {
        rest = Substring(text).utf8
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, Unicode.Scalar(first) == character else { return false }
        rest.removeFirst()
        return true
    }

    mutating func skipSpaces() -> Bool {
        let count = rest.prefix { $0 == UInt8(ascii: " ") }.count
        rest = rest.dropFirst(count)
        return count > 0
    }

    mutating func number(digits: ClosedRange<Int>) -> Int64? {
        let text = rest.prefix(digits.upperBound).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard text.count >= digits.lowerBound else { return nil }
        rest = rest.dropFirst(text.count)
        return text.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    mutating func word() -> String? {
        let text = rest.prefix { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        }
        guard !text.isEmpty else { return nil }
        rest = rest.dropFirst(text.count)
        return String(decoding: text, as: UTF8.self)
    }

    /// Skips the name of a weekday with its comma. The date says which day it is.
    mutating func skipWeekday() {
        guard word() != nil else { return }
        _ = skip(",")
        _ = skipSpaces()
    }

    /// - Returns: the seconds since midnight. The second may have a fraction.
    mutating func time() -> Double? {
        guard let hour = number(digits: 2...2), hour < 24 else { return nil }
        _ = skip(":")
        guard let minute = number(digits: 2...2), minute < 60 else { return nil }
        _ = skip(":")
        // 60 is a leap second.
        guard let second = number(digits: 2...2), second <= 60 else { return nil }
        let whole = Double(hour * 3600 + minute * 60 + second)
        guard skip(".") || skip(",") else { return whole }
        return fraction().map { whole + $0 }
    }

    private mutating func fraction() -> Double? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reversed().reduce(0) { ($0 + Double($1 - UInt8(ascii: "0"))) / 10 }
    }

    /// Reads a time zone: `Z`, `GMT`, `UTC`, `UT`, or an offset such as `+0200`, `-01:30` or `+05`. A text without a
    /// time zone is in UTC.
    ///
    /// - Returns: the seconds by which the time zone is ahead of UTC.
    mutating func zone() -> Int64? {
        _ = skipSpaces()
        if isAtEnd { return 0 }
        if let name = word() { return ["Z", "z", "GMT", "UTC", "UT"].contains(name) ? 0 : nil }
        let isBehind = skip("-")
        guard isBehind || skip("+"), let hours = number(digits: 2...2), hours <= 14 else { return nil }
        _ = skip(":")
        let minutes = isAtEnd ? 0 : number(digits: 2...2)
        guard let minutes, minutes < 60 else { return nil }
        return (hours * 3600 + minutes * 60) * (isBehind ? -1 : 1)
    }
}
