package import SystemSupport

extension OutputWriter {
    /// Writes a JSON object on a line of its own.
    package func object<Fields: JSONFields>(_ object: JSONObject<Fields>) { json(object.line) }
}
