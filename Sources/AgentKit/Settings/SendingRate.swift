package import FolderCore
import Settings

/// A rate that the agent service keeps to: some bytes per second, none at all, or any number.
package struct SendingRate: Equatable, Sendable, CustomStringConvertible {
    /// Bytes per second; 0 allows no sending, `nil` any rate.
    package let limit: RateSchedule.Rate

    package init(_ limit: RateSchedule.Rate) {
        self.limit = limit
    }

    package init?(argument: String) {
        switch argument {
        case "0": limit = 0
        case Self.unlimited: limit = nil
        default:
            guard let rate = ByteRate(argument: argument) else { return nil }
            limit = rate.bytesPerSecond
        }
    }

    package var description: String {
        guard let limit else { return Self.unlimited }
        return limit == 0 ? "0" : ByteRate(bytesPerSecond: limit).description
    }

    private static let unlimited = "unlimited"
}

extension SettingForm where Value == SendingRate {
    /// A rate with its unit, 0 or `unlimited`.
    static let sendingRate = SettingForm(
        words: "a rate, such as 20Mbit/s, or 0, or unlimited", kinds: [.text, .number], text: \.description
    ) { text in
        if let rate = SendingRate(argument: text) { return .success(rate) }
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .failure(SettingRefusal("a number needs a unit, such as 20Mbit/s; only 0 needs none"))
        }
        return .failure(SettingRefusal("must be a rate, such as 20Mbit/s, or 0, or unlimited, not \(text.shown)"))
    }
}
