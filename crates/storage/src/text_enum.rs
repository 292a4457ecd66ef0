/// Declares an enum of named words that is stored as text, written as JSON and described in the
/// contract by the same words.
///
/// ```
/// storage::text_enum! {
///     /// How a window is doing.
///     pub enum WindowState {
///         /// Nobody can come in.
///         Closed = "closed",
///         /// Everybody can.
///         Open = "open",
///     }
/// }
/// assert_eq!(WindowState::Open.as_str(), "open");
/// assert_eq!("closed".parse(), Ok(WindowState::Closed));
/// assert_eq!(serde_json::from_str::<WindowState>("\"open\"").unwrap(), WindowState::Open);
/// assert!(serde_json::from_str::<WindowState>("7").unwrap_err().is_data());
/// let schema = serde_json::to_value(<WindowState as utoipa::PartialSchema>::schema()).unwrap();
/// assert_eq!(schema["enum"], serde_json::json!(["closed", "open"]));
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[doc = $doc:literal])+ $vis:vis enum $name:ident {
        $( $(#[doc = $word_doc:literal])+ $variant:ident = $text:literal ),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive($crate::diesel::expression::AsExpression, $crate::diesel::deserialize::FromSqlRow)]
        #[derive(::serde::Serialize)]
        #[diesel(sql_type = $crate::diesel::sql_types::Text)]
        $vis enum $name { $( $(#[doc = $word_doc])+ #[serde(rename = $text)] $variant ),+ }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),+ ];

            /// The word itself, as stored and as served.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text ),+ }
            }
        }

        // utoipa's derive does not see through `$text` and would describe the names of the variants.
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                use ::utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
                let words = [ $( ($text, concat!($($word_doc),+)) ),+ ];
                let told: Vec<String> = words.iter().map(|(word, doc)| format!("- `{word}`:{doc}")).collect();
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some(words.map(|(word, _)| word)))
                    .description(Some(format!("{}\n\n{}", concat!($($doc),+).trim(), told.join("\n"))))
                    .into()
            }
        }
        impl ::utoipa::ToSchema for $name {
            fn name() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        // serde's derive takes a number in place of a word for a fault of the JSON, and not of the value.
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let word = <::std::string::String as ::serde::Deserialize>::deserialize(deserializer)?;
                let words = [ $( $text ),+ ].join(", ");
                word.parse().map_err(|_unknown| ::serde::de::Error::custom(format!("expected one of {words}")))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::error::UnknownWord;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $( $text => Ok(Self::$variant), )+
                    _ => Err($crate::error::UnknownWord(stringify!($name))),
                }
            }
        }

        impl<DB> $crate::diesel::serialize::ToSql<$crate::diesel::sql_types::Text, DB> for $name
        where
            DB: $crate::diesel::backend::Backend,
            str: $crate::diesel::serialize::ToSql<$crate::diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut $crate::diesel::serialize::Output<'b, '_, DB>,
            ) -> $crate::diesel::serialize::Result {
                $crate::diesel::serialize::ToSql::<$crate::diesel::sql_types::Text, DB>::to_sql(self.as_str(), out)
            }
        }

        impl<DB> $crate::diesel::deserialize::FromSql<$crate::diesel::sql_types::Text, DB> for $name
        where
            DB: $crate::diesel::backend::Backend,
            String: $crate::diesel::deserialize::FromSql<$crate::diesel::sql_types::Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> $crate::diesel::deserialize::Result<Self> {
                let text = <String as $crate::diesel::deserialize::FromSql<
                    $crate::diesel::sql_types::Text, DB,
                >>::from_sql(bytes)?;
                Ok(text.parse::<Self>()?)
            }
        }
    };
}
