/// The keys of a map inside a settings file, such as one folder, and what they must fulfil together.
package struct SettingMap<Value: Sendable>: Sendable {
    package let settings: [Setting<Value>]
    private let rules: [SettingRule<Value>]
    private let initial: Value

    /// - Parameters:
    ///   - initial: the value of a map without keys.
    ///   - rules: a rule is checked only if every key of the map can be used. Its problem is reported at the line of
    ///     its key, or at that of the map if the key is not given.
    package init(initial: Value, settings: [Setting<Value>], rules: [SettingRule<Value>] = []) {
        self.initial = initial
        self.settings = settings
        self.rules = rules
    }

    /// The form of one map.
    package func form(words: String) -> SettingForm<Value> {
        SettingForm(words: words, parse: Self.refuseText, read: read, text: text, parts: parts)
    }

    /// The form of a list of maps.
    ///
    /// - Parameters:
    ///   - countMax: how many maps the list may have.
    ///   - conflicts: finds maps that do not go together. It is called only if each map can be used.
    package func list(
        words: String, countMax: Int, conflicts: @escaping @Sendable ([Value]) -> [SettingConflict] = { _ in [] }
    ) -> SettingForm<[Value]> {
        SettingForm<[Value]>(
            words: words, parse: Self.refuseText,
            read: { cursor in
                guard let elements = cursor.elements() else { return nil }
                guard elements.count <= countMax else {
                    cursor.refuse("has \(elements.count) values; at most \(countMax) are allowed")
                    return nil
                }
                let values = elements.compactMap(read)
                guard values.count == elements.count else { return nil }
                let found = conflicts(values)
                for conflict in found where elements.indices.contains(conflict.index) {
                    let element = elements[conflict.index]
                    (element.field(conflict.key) ?? element).refuse(conflict.reason)
                }
                return found.isEmpty ? values : nil
            },
            text: { values in values.map { "{\(text($0))}" }.joined(separator: ", ") },
            parts: { values in
                values.enumerated().flatMap { index, value in parts(value).map { $0.within("[\(index + 1)]") } }
            })
    }

    private static func refuseText<Form>(_ text: String) -> Result<Form, SettingRefusal> {
        .failure(SettingRefusal("can be given in the settings file only"))
    }

    @Sendable private func read(_ cursor: SettingsCursor) -> Value? {
        guard let fields = cursor.fields(known: settings.map(\.name)) else { return nil }
        var value = initial
        var isUsable = true
        for setting in settings {
            guard let field = fields[setting.name] else { continue }
            if !setting.read(field, &value) { isUsable = false }
        }
        guard isUsable else { return nil }
        for rule in rules {
            guard let reason = rule.check(value) else { continue }
            (fields[rule.name] ?? cursor).refuse(reason)
            isUsable = false
        }
        return isUsable ? value : nil
    }

    @Sendable private func text(_ value: Value) -> String {
        settings.compactMap { setting in setting.text(value).map { "\(setting.name): \($0)" } }.joined(separator: ", ")
    }

    @Sendable private func parts(_ value: Value) -> [SettingPart] {
        settings.flatMap { setting in
            let parts = setting.parts(value)
            guard parts.isEmpty else { return parts.map { $0.within(".\(setting.name)") } }
            return [SettingPart(place: ".\(setting.name)", text: setting.text(value), usual: setting.usual)]
        }
    }
}

/// Why a map of a list does not go together with another map of the list.
package struct SettingConflict: Equatable, Sendable {
    /// The position of the map in the list, from 0.
    package let index: Int
    /// The key at whose place the problem is reported.
    package let key: String
    package let reason: String

    package init(index: Int, key: String, reason: String) {
        self.index = index
        self.key = key
        self.reason = reason
    }
}

/// One value inside a setting that is a map or a list of maps, for `config show`.
package struct SettingPart: Equatable, Sendable {
    /// Where the value stands in its setting, such as `[1].path`.
    package let place: String
    /// `nil` if there is no value.
    package let text: String?
    /// What holds without a value, in words.
    package let usual: String

    /// The same part, seen from the value that contains it.
    func within(_ outer: String) -> SettingPart { SettingPart(place: outer + place, text: text, usual: usual) }
}
