import TransferCommon

/// Reads one value of a settings file. It collects the problems with their lines instead of throwing the first one, and
/// returns `nil` where a value cannot be used.
package struct SettingsCursor {
    package let node: SettingNode
    /// The setting, such as `folders[2].ready.for`; empty for the whole file.
    package let setting: String
    private let path: String
    private let problems: SettingProblems
    /// The line to which problems refer: the key's, if the value has one.
    package let line: Int

    /// - Parameter path: the file, for the messages.
    package init(root: SettingNode, path: String, problems: SettingProblems) {
        self.init(node: root, setting: "", path: path, problems: problems, line: root.line)
    }

    private init(node: SettingNode, setting: String, path: String, problems: SettingProblems, line: Int) {
        self.node = node
        self.setting = setting
        self.path = path
        self.problems = problems
        self.line = line
    }

    package var source: SettingSource { .file(path: path, line: line) }

    /// Adds a problem with this value.
    package func refuse(_ reason: String) {
        problems.add(SettingProblem(source: source, setting: setting, reason: reason))
    }

    /// The values of a map by their keys. Refuses keys that are not known or are given twice.
    ///
    /// - Parameter suggest: finds the known key that a person probably meant.
    package func fields(
        known: [String], suggest: (String, [String]) -> String? = { NearestName.of($0, among: $1) }
    ) -> [String: SettingsCursor]? {
        guard case .map(let entries) = node.value else {
            refuse(setting.isEmpty ? "the file is not a map: write KEY: VALUE" : "must be a map with keys")
            return nil
        }
        var fields: [String: SettingsCursor] = [:]
        for entry in entries {
            let field = field(entry)
            guard known.contains(entry.key) else {
                refuse(unknown: entry) { suggest(entry.key, known) }
                continue
            }
            if let earlier = fields[entry.key] {
                field.refuse("is given twice; it was given in line \(earlier.line) already")
            } else {
                fields[entry.key] = field
            }
        }
        return fields
    }

    private func refuse(unknown entry: SettingEntry, suggest: () -> String?) {
        func problem() -> SettingProblem {
            let near = suggest().map { "; did you mean \($0)?" } ?? ""
            let place = setting.isEmpty ? "" : " of \(setting)"
            return SettingProblem(
                source: .file(path: path, line: entry.line),
                reason: "\(entry.key.shown) is not a known key\(place)\(near)")
        }
        problems.add(problem())
    }

    /// The value of one key of a map; `nil` if it is not given.
    func field(_ name: String) -> SettingsCursor? {
        guard case .map(let entries) = node.value,
            let entry = entries.first(where: { $0.key.hasSameBytes(as: name) })
        else { return nil }
        return field(entry)
    }

    private func field(_ entry: SettingEntry) -> SettingsCursor {
        SettingsCursor(
            node: entry.value, setting: setting.isEmpty ? entry.key : "\(setting).\(entry.key)", path: path,
            problems: problems, line: entry.line)
    }

    /// The sources of all keys inside of this value, by their settings, such as `folders[2].ready.for`.
    var sourcesInside: [String: SettingSource] {
        var sources: [String: SettingSource] = [:]
        func visit(_ cursor: SettingsCursor) {
            switch cursor.node.value {
            case .scalar: break
            case .list: for element in cursor.elements() ?? [] { visit(element) }
            case .map(let entries):
                for entry in entries {
                    let field = cursor.field(entry)
                    sources[field.setting] = field.source
                    visit(field)
                }
            }
        }
        visit(self)
        return sources
    }

    /// The values of a list.
    package func elements() -> [SettingsCursor]? {
        guard case .list(let nodes) = node.value else {
            refuse("must be a list")
            return nil
        }
        return nodes.enumerated().map { index, node in
            SettingsCursor(
                node: node, setting: "\(setting)[\(index + 1)]", path: path, problems: problems, line: node.line)
        }
    }

    /// The text of a value of one of these types. Refuses lists, maps, and values of other types.
    ///
    /// - Parameter words: what the value should be, for the messages.
    package func text(of kinds: Set<SettingScalar.Kind>, words: String) -> String? {
        guard case .scalar(let scalar) = node.value else {
            var shape = "a map"
            if case .list = node.value { shape = "a list" }
            refuse("must be \(words), not \(shape)")
            return nil
        }
        guard !kinds.contains(scalar.kind) else { return scalar.text }
        switch scalar.kind {
        case .null: refuse("has no value; give it one, or remove the line")
        case .number, .boolean: refuse("must be \(words), not \(scalar.text.shown); quotes make text of it")
        case .text: refuse("must be \(words), not \(scalar.text.shown)")
        }
        return nil
    }
}
