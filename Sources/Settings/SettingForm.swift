/// How the values of a setting are written and read: from the text of a flag or variable, and from a file.
package struct SettingForm<Value: Sendable>: Sendable {
    /// What the value is, for messages and for the table of all settings, such as "a rate, such as 20MB/s".
    package let words: String
    /// Reads the text of a flag or a variable.
    package let parse: @Sendable (String) -> Result<Value, SettingRefusal>
    /// Reads a value of a file. Adds a problem and returns `nil` if it cannot be used.
    package let read: @Sendable (SettingsCursor) -> Value?
    /// The value as a person would write it.
    package let text: @Sendable (Value) -> String
    /// The values inside a map or a list of maps, one by one; empty for any other value.
    let parts: @Sendable (Value) -> [SettingPart]

    package init(
        words: String, parse: @escaping @Sendable (String) -> Result<Value, SettingRefusal>,
        read: @escaping @Sendable (SettingsCursor) -> Value?, text: @escaping @Sendable (Value) -> String,
        parts: @escaping @Sendable (Value) -> [SettingPart] = { _ in [] }
    ) {
        self.words = words
        self.parse = parse
        self.read = read
        self.text = text
        self.parts = parts
    }

    /// A form of single values, which are written alike in files, flags and variables.
    ///
    /// - Parameter kinds: the types that the value may have in a file.
    package init(
        words: String, kinds: Set<SettingScalar.Kind> = [.text],
        text: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Result<Value, SettingRefusal>
    ) {
        self.init(
            words: words, parse: parse,
            read: { cursor in
                guard let written = cursor.text(of: kinds, words: words) else { return nil }
                switch parse(written) {
                case .success(let value): return value
                case .failure(let refusal):
                    cursor.refuse(refusal.reason)
                    return nil
                }
            }, text: text)
    }
}

extension SettingForm where Value == String {
    /// Any text without control characters.
    package static let text = SettingForm.checkedText(words: "text") { _ in nil }

    /// Text that a check may refuse.
    ///
    /// - Parameter refusal: returns the reason if the text cannot be used.
    package static func checkedText(
        words: String, _ refusal: @escaping @Sendable (String) -> String?
    ) -> SettingForm {
        SettingForm(words: words, text: { $0 }) { text in
            guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                return .failure(SettingRefusal("contains a control character"))
            }
            return refusal(text).map { .failure(SettingRefusal($0)) } ?? .success(text)
        }
    }

    /// The path of a file.
    package static let path = SettingForm.checkedText(words: "the path of a file") { text in
        text.isEmpty ? "must be the path of a file" : nil
    }
}

extension SettingForm where Value == Bool {
    /// `true` or `false`.
    package static let truth = SettingForm(words: "true or false", kinds: [.text, .boolean], text: { "\($0)" }) {
        text in
        switch text {
        case "true", "True", "TRUE": .success(true)
        case "false", "False", "FALSE": .success(false)
        default: .failure(SettingRefusal("must be true or false, not \(text.shown)"))
        }
    }
}

extension SettingForm where Value == Int {
    /// A whole number in this range.
    package static func count(_ range: ClosedRange<Int>) -> SettingForm {
        let words = "\(range.lowerBound) to \(range.upperBound)"
        return SettingForm(words: words, kinds: [.text, .number], text: { "\($0)" }) { text in
            guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit) else {
                return .failure(SettingRefusal("must be a whole number from \(words), not \(text.shown)"))
            }
            // A number that no `Int` can hold is out of the range, too.
            guard let count = Int(text), range.contains(count) else {
                return .failure(SettingRefusal("must be from \(words), not \(text.shown)"))
            }
            return .success(count)
        }
    }
}

extension SettingForm {
    /// One of some words.
    package static func word(_ values: [(word: String, value: Value)]) -> SettingForm where Value: Equatable {
        let words = values.map(\.word)
        return SettingForm(
            words: words.joined(separator: ", "),
            text: { value in values.first { $0.value == value }?.word ?? "" },
            parse: { text in
                if let found = values.first(where: { $0.word == text }) { return .success(found.value) }
                let near = NearestName.of(text, among: words).map { "; did you mean \($0)?" } ?? ""
                return .failure(
                    SettingRefusal("\(text.shown) is none of \(words.joined(separator: ", "))\(near)"))
            })
    }

    /// One of the cases of an enumeration, written as its raw value.
    package static func word() -> SettingForm
    where Value: CaseIterable & RawRepresentable & Equatable, Value.RawValue == String {
        .word(Value.allCases.map { ($0.rawValue, $0) })
    }

    /// A value that its type reads from text.
    ///
    /// - Parameters:
    ///   - words: such as "an address, HOST:PORT".
    ///   - parse: returns `nil` if the text is no such value.
    package static func value(
        _ words: String, text: @escaping @Sendable (Value) -> String, parse: @escaping @Sendable (String) -> Value?
    ) -> SettingForm {
        SettingForm(words: words, text: text) { written in
            parse(written).map { .success($0) } ?? .failure(SettingRefusal("must be \(words), not \(written.shown)"))
        }
    }

    /// The same form for a setting that may have no value.
    var optional: SettingForm<Value?> {
        let form = self
        return SettingForm<Value?>(
            words: words, parse: { form.parse($0).map(Optional.some) },
            // Two levels of optionals: the outer `nil` means that the value is refused.
            read: { cursor in form.read(cursor).map(Optional.some) },
            text: { $0.map(form.text) ?? "" }, parts: { $0.map(form.parts) ?? [] })
    }

    /// A list of single values: a list in a file, or one text with commas.
    ///
    /// - Parameters:
    ///   - words: what the whole list is.
    ///   - countMax: how many values the list may have.
    package static func list<Element: Sendable>(
        of form: SettingForm<Element>, words: String, countMax: Int
    ) -> SettingForm<[Element]> where Value == [Element] {
        let parse: @Sendable (String) -> Result<[Element], SettingRefusal> = { text in
            let items = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard items.count <= countMax else {
                return .failure(SettingRefusal("has \(items.count) values; at most \(countMax) are allowed"))
            }
            var values: [Element] = []
            for item in items {
                switch form.parse(item) {
                case .success(let value): values.append(value)
                case .failure(let refusal): return .failure(refusal)
                }
            }
            return .success(values)
        }
        let single = SettingForm<[Element]>(
            words: words, text: { $0.map(form.text).joined(separator: ",") }, parse: parse)
        return SettingForm<[Element]>(
            words: words, parse: parse,
            read: { cursor in
                guard case .list = cursor.node.value, let elements = cursor.elements() else {
                    return single.read(cursor)
                }
                guard elements.count <= countMax else {
                    cursor.refuse("has \(elements.count) values; at most \(countMax) are allowed")
                    return nil
                }
                let values = elements.map(form.read)
                return values.contains { $0 == nil } ? nil : values.compactMap { $0 }
            }, text: single.text)
    }
}
