//! Compiles the bridge to the libraries in C that we compare with.

fn main() {
    println!("cargo::rerun-if-changed=src");
    cc::Build::new().files(["src/xml.c", "src/jid.c", "src/lookup.c"]).include("/usr/include/libxml2").flag("-Wno-deprecated-declarations").compile("oracles");
    for library in ["expat", "xml2", "idn", "idn2"] {
        println!("cargo::rustc-link-lib={library}");
    }
}
