package import FoundationEssentials
import TransferCommon

/// A value in a JSON object.
package enum JSONValue: Equatable, Sendable {
    case string(String)
    case integer(UInt64)
    case boolean(Bool)
    /// A moment, in milliseconds since 1970 UTC.
    case time(milliseconds: Int64)
    case seconds(Duration)
    case base64([UInt8])
    case strings([String])

    /// An integer that is never negative. A negative one would be a defect of this program, and is written as 0.
    package static func count(_ count: some BinaryInteger) -> JSONValue { .integer(UInt64(clamping: count)) }

    /// A moment, in whole milliseconds.
    package static func time(_ date: Date) -> JSONValue {
        let milliseconds = (date.timeIntervalSince1970 * 1_000).rounded()
        return .time(milliseconds: Int64(exactly: milliseconds) ?? (milliseconds > 0 ? .max : .min))
    }
}

/// A field of a kind of JSON objects: what its value is, when the object has it, and what it means.
package struct JSONField: Equatable, Sendable {
    /// The kinds of values, for programs that read them.
    package enum Kind: Equatable, Sendable {
        case string
        /// One of these words. Later versions may add words.
        case word([String])
        /// A whole number that is not negative.
        case integer
        case boolean
        /// RFC 3339 in UTC, as in `2026-11-24T15:00:00Z`.
        case time
        /// A number of seconds with at most six decimals.
        case seconds
        case base64
        case strings
    }

    package let kind: Kind
    /// The condition under which an object has the field, as a clause; `nil` if every object has it.
    package let condition: String?
    package let meaning: String

    /// A field that every object has.
    package static func always(_ kind: Kind, _ meaning: String) -> JSONField {
        JSONField(kind: kind, condition: nil, meaning: meaning)
    }

    /// A field that an object has only under a condition.
    package static func only(_ condition: String, _ kind: Kind, _ meaning: String) -> JSONField {
        JSONField(kind: kind, condition: condition, meaning: meaning)
    }
}

extension JSONField.Kind {
    /// The kind in a word or two, for the page about interfaces.
    package var words: String {
        switch self {
        case .string: "string"
        case .word: "word"
        case .integer: "integer"
        case .boolean: "boolean"
        case .time: "time"
        case .seconds: "seconds"
        case .base64: "base64"
        case .strings: "list of strings"
        }
    }

    /// Whether a value may stand in a field of this kind.
    package func fits(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.string, .string), (.integer, .integer), (.boolean, .boolean), (.time, .time), (.seconds, .seconds),
            (.base64, .base64), (.strings, .strings):
            true
        case (.word(let words), .string(let word)): words.contains(word)
        default: false
        }
    }
}
