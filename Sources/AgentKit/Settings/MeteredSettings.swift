package import Settings

/// What the agent service sends while the way to the gateway costs money by the byte.
package struct MeteredSettings: Equatable, Sendable {
    /// The network interfaces that cost money.
    package var interfaces: [String] = []
    /// Files of a lower priority wait.
    package var priorityMin: Int?

    package init() {}

    static let priorityRange = 0...9
    private static let interfacesMax = 64

    /// The keys of `metered`.
    package static let keys = SettingMap(
        initial: MeteredSettings(),
        settings: [
            Setting(
                "interfaces", \.interfaces,
                .list(of: .interface, words: "a list of names, such as [wwan0]", countMax: interfacesMax),
                scope: .fileOnly, initial: MeteredSettings(), usual: "none; they have to be given",
                "The network interfaces that cost money by the byte."),
            Setting(
                "min-priority", \.priorityMin, .count(priorityRange), scope: .fileOnly, initial: MeteredSettings(),
                usual: "none; it has to be given",
                "While the gateway is reached through one of them, files of a lower priority wait."),
        ],
        rules: [
            SettingRule("interfaces") { $0.interfaces.isEmpty ? "the key interfaces is missing or empty" : nil },
            SettingRule("min-priority") { $0.priorityMin == nil ? "the key min-priority is missing" : nil },
        ])
}
