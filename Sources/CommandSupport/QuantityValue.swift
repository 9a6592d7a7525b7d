import Settings

/// A size, a time or an address on the command line that cannot be read. The parser of arguments would say only that
/// the value is invalid, and not that it lacks a unit.
package struct QuantityValue: Equatable {
    /// The option with its dashes.
    package let option: String
    package let reason: String

    /// - Returns: `nil` if there is none before `--`, behind which the words belong to another program.
    package init?(arguments: ArraySlice<String>) {
        let own = arguments.prefix { $0 != "--" }
        for place in own.indices {
            let halves = own[place].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = halves.first.map(String.init), let refusal = Self.refusals[name] else { continue }
            let next = own.index(after: place)
            guard let value = halves.count > 1 ? String(halves[1]) : next < own.endIndex ? own[next] : nil,
                // The parser of arguments says of an option before another option that its value is missing.
                halves.count > 1 || !value.hasPrefix("-"), let reason = refusal(value)
            else { continue }
            (self.option, self.reason) = (name, reason)
            return
        }
        return nil
    }

    /// The message for the person who typed the value, as for a setting.
    package var sentence: String { "\(option): \(reason)" }

    private typealias Refusal = @Sendable (String) -> String?

    /// Options whose values the parser of arguments reads itself. All other quantities are settings.
    private static let refusals: [String: Refusal] = [
        "--expect-size": size, "--part-size": size, "--budget": size, "--older-than": time, "--valid-for": time,
        "--gateway": { reason(SettingForm.endpoint.parse($0)) },
    ]

    private static let size: Refusal = {
        reason(SettingForm.size(0...UInt64.max, words: "a size, such as 8MiB").parse($0))
    }

    private static let time: Refusal = {
        reason(SettingForm.time(.zero ... .seconds(Int64.max), words: "a time, such as 30s or 90d").parse($0))
    }

    private static func reason<Value>(_ result: Result<Value, SettingRefusal>) -> String? {
        if case .failure(let refusal) = result { refusal.reason } else { nil }
    }
}
