/// Gives types a `Debug` that shows their name and nothing else: what they hold is personal or secret,
/// and a log is read by more people than a table.
#[macro_export]
macro_rules! redacted_debug {
    ($($name:ident),+ $(,)?) => { $(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    )+ };
}
