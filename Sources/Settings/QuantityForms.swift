extension SettingForm where Value == ByteSize {
    /// A number of bytes with its unit.
    package static func size(_ range: ClosedRange<UInt64>, words: String) -> SettingForm {
        .quantity(words, example: "8MiB", units: ByteSize.units.map(\.0), text: \.description) { text in
            ByteSize(argument: text)
        } check: { size in
            range.contains(size.bytes)
        }
    }
}

extension SettingForm where Value == ByteRate {
    /// A rate with its unit.
    package static let rate = SettingForm.quantity(
        "a rate, such as 20MB/s or 10Mbit/s", example: "20MB/s", units: ByteRate.units.map(\.0), text: \.description
    ) { text in
        ByteRate(argument: text)
    } check: { rate in
        rate.bytesPerSecond > 0
    }
}

extension SettingForm where Value == TimeSpan {
    /// A length of time with its unit.
    package static func time(_ range: ClosedRange<Duration>, words: String) -> SettingForm {
        .quantity(words, example: "30s", units: TimeSpan.units.map(\.0), text: \.description) { text in
            TimeSpan(argument: text)
        } check: { span in
            range.contains(span.duration)
        }
    }
}

extension SettingForm where Value == Endpoint {
    /// An address with its port.
    package static let endpoint = SettingForm.value(
        "an address, HOST:PORT or [IPV6]:PORT", text: \.description
    ) { Endpoint(argument: $0) }
}

extension SettingForm {
    /// A number with a unit. A file may have a number without quotes here, so that the message can say that the unit is
    /// missing.
    fileprivate static func quantity(
        _ words: String, example: String, units: [String], text: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Value?, check: @escaping @Sendable (Value) -> Bool
    ) -> SettingForm {
        SettingForm(words: words, kinds: [.text, .number], text: text) { written in
            if let value = parse(written) {
                guard check(value) else {
                    return .failure(SettingRefusal("must be \(words), not \(written.shown)"))
                }
                return .success(value)
            }
            guard written.utf8.contains(where: { !$0.isDigit && $0 != UInt8(ascii: ".") }) || written.isEmpty else {
                return .failure(SettingRefusal("a number needs a unit, such as \(example)"))
            }
            return .failure(
                SettingRefusal(
                    "must be \(words), not \(written.shown); the units are \(units.joined(separator: ", "))"))
        }
    }
}
