/// One setting of a program: its names, how it is read and written, and what it means.
package struct Setting<Root: Sendable>: Sendable {
    /// Where the setting may be given.
    package enum Scope: Equatable, Sendable {
        /// As a flag, as a variable and in the file.
        case everywhere
        /// In the file alone. Either the setting decides whom the program trusts: only the owner of the home can change
        /// the file. Or it belongs to the agent service, which reads it again on reload, or it is a map.
        case fileOnly
    }

    /// The key in the file, and the flag without its dashes.
    package let name: String
    package let scope: Scope
    package let words: String
    package let meaning: String
    /// What holds if the setting is not given, for help and documentation.
    package let usual: String
    let parse: @Sendable (String, inout Root) -> SettingRefusal?
    let read: @Sendable (SettingsCursor, inout Root) -> Bool
    /// The value in force as a person would write it, or `nil` if there is none.
    package let text: @Sendable (Root) -> String?
    /// The values inside of a map or a list of maps; empty for any other setting.
    let parts: @Sendable (Root) -> [SettingPart]

    /// - Parameters:
    ///   - place: the property that has the value.
    ///   - usual: what holds if the setting is not given; `nil` if the initial value of the property says it.
    package init<Value>(
        _ name: String, _ place: any WritableKeyPath<Root, Value> & Sendable, _ form: SettingForm<Value>,
        scope: Scope = .everywhere, initial: Root, usual: String? = nil, _ meaning: String
    ) {
        self.name = name
        self.scope = scope
        self.words = form.words
        self.meaning = meaning
        let text: @Sendable (Root) -> String? = { root in
            let text = form.text(root[keyPath: place])
            return text.isEmpty ? nil : text
        }
        self.text = text
        self.parts = { root in form.parts(root[keyPath: place]) }
        self.usual = usual ?? text(initial) ?? "none"
        self.parse = { text, root in
            switch form.parse(text) {
            case .success(let value):
                root[keyPath: place] = value
                return nil
            case .failure(let refusal): return refusal
            }
        }
        self.read = { cursor, root in
            guard let value = form.read(cursor) else { return false }
            root[keyPath: place] = value
            return true
        }
    }

    /// Makes a setting that may have no value.
    package init<Value>(
        _ name: String, _ place: any WritableKeyPath<Root, Value?> & Sendable, _ form: SettingForm<Value>,
        scope: Scope = .everywhere, initial: Root, usual: String? = nil, _ meaning: String
    ) {
        self.init(name, place, form.optional, scope: scope, initial: initial, usual: usual, meaning)
    }

    /// Whether the setting is on or off.
    package var isSwitch: Bool { words == SettingForm<Bool>.truth.words }

    /// The environment variable; `nil` if there is none.
    package var variable: String? { scope == .everywhere ? SettingVariables.name(of: name) : nil }
}

/// What several settings must fulfil together.
package struct SettingRule<Root: Sendable>: Sendable {
    /// The setting at whose place the problem is reported.
    package let name: String
    /// Returns the reason if the settings do not go together.
    package let check: @Sendable (Root) -> String?

    package init(_ name: String, check: @escaping @Sendable (Root) -> String?) {
        self.name = name
        self.check = check
    }
}

/// Names of environment variables.
package enum SettingVariables {
    package static let prefix = "SLUICE_"
    package static let home = "SLUICE_HOME"

    /// `SLUICE_LIMIT_RATE` for `limit-rate`.
    package static func name(of setting: String) -> String {
        prefix + setting.uppercased().replacing("-", with: "_")
    }
}
